/** All modules that measure; a new one is one line here. */
import { iqs } from '../modules/iqs.ts';
import { networkanalyzer } from '../modules/network-analyzer.ts';
import { ams } from '../modules/pwm.ts';
import { sampler } from '../modules/sampler.ts';
import { scope } from '../modules/scope.ts';
import { spectrumanalyzer } from '../modules/spectrum-analyzer.ts';
import { scopeRecorder } from './grabs.ts';
import { iqsRecorder } from './iqs.ts';
import { networkAnalyzerRecorder } from './network-analyzer.ts';
import { type RecorderEntry, recorderOf } from './recorder.ts';
import { samplerRecorder } from './sampler.ts';
import { slowInputsRecorder } from './slow-inputs.ts';
import { spectrumAnalyzerRecorder } from './spectrum-analyzer.ts';

export const recorders: readonly RecorderEntry[] = [
  recorderOf(scope, scopeRecorder),
  recorderOf(networkanalyzer, networkAnalyzerRecorder),
  recorderOf(spectrumanalyzer, spectrumAnalyzerRecorder),
  recorderOf(sampler, samplerRecorder),
  recorderOf(iqs, iqsRecorder),
  recorderOf(ams, (tools) => slowInputsRecorder(tools)),
];
