/** All modules of the FPGA that there are drivers for; a new one is one line here. */
import { moduleTable } from '../module-table.ts';
import { asg0, asg1 } from './asg.ts';
import { hk } from './hk.ts';
import { scope } from './scope.ts';

export const modules = moduleTable(scope, asg0, asg1, hk);
