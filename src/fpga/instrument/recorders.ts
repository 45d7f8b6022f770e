/** All modules that measure; a new one is one line here. */
import { scope } from '../modules/scope.ts';
import { scopeRecorder } from './grabs.ts';
import { type RecorderEntry, recorderOf } from './recorder.ts';

export const recorders: readonly RecorderEntry[] = [recorderOf(scope, scopeRecorder)];
