/** All modules of the FPGA that there are drivers for; a new one is one line here. */
import { moduleTable } from '../module-table.ts';
import { asg0, asg1 } from './asg.ts';
import { hk } from './hk.ts';
import { iir } from './iir.ts';
import { iq0, iq1, iq2 } from './iq.ts';
import { iqs } from './iqs.ts';
import { networkanalyzer } from './network-analyzer.ts';
import { pid0, pid1, pid2 } from './pid.ts';
import { ams, pwm0, pwm1 } from './pwm.ts';
import { sampler } from './sampler.ts';
import { scope } from './scope.ts';
import { spectrumanalyzer } from './spectrum-analyzer.ts';
import { trig } from './trig.ts';

export const modules = moduleTable(
  scope,
  asg0,
  asg1,
  pid0,
  pid1,
  pid2,
  iq0,
  iq1,
  iq2,
  trig,
  iir,
  pwm0,
  pwm1,
  ams,
  hk,
  sampler,
  iqs,
  networkanalyzer,
  spectrumanalyzer,
);
