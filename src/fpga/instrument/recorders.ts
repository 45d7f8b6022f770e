/** All modules that measure; a new one is one line here. */
import { networkanalyzer } from '../modules/network-analyzer.ts';
import { scope } from '../modules/scope.ts';
import { scopeRecorder } from './grabs.ts';
import { networkAnalyzerRecorder } from './network-analyzer.ts';
import { type RecorderEntry, recorderOf } from './recorder.ts';

export const recorders: readonly RecorderEntry[] = [
  recorderOf(scope, scopeRecorder),
  recorderOf(networkanalyzer, networkAnalyzerRecorder),
];
