/** The FAT partition of an image, read and written by mtools. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigurationError } from '../../../src/errors.ts';
import type { Partition } from './card.ts';
import { IMAGE, runTool } from './ext4.ts';

/** @param scratch The folder of the image, for temporary files too. */
export function openFat(scratch: string, partition: Partition) {
  const drive = ['-i', `${IMAGE}@@${partition.start}`];
  const file = 'fat-file';

  return {
    /** The text of a file in its uppermost folder; undefined: there is none. */
    async read(name: string): Promise<string | undefined> {
      const listed = await runTool(scratch, 'mdir', [...drive, '-b', '::/'], [0, 1]);
      const names = (listed.split('\0')[0] ?? '').split('\n').map((line) => line.replace('::/', '').toLowerCase());
      if (!names.includes(name.toLowerCase())) return undefined;
      await runTool(scratch, 'mcopy', [...drive, '-n', `::/${name}`, file]);
      const text = readFileSync(join(scratch, file), 'utf8');
      rmSync(join(scratch, file));
      return text;
    },

    /** @throws ConfigurationError: no room for it */
    async write(name: string, text: string): Promise<void> {
      writeFileSync(join(scratch, file), text);
      try {
        await runTool(scratch, 'mcopy', [...drive, '-o', file, `::/${name}`]);
      } catch (error) {
        throw new ConfigurationError(`${name} cannot be put on the FAT partition: ${(error as Error).message}`, {
          cause: error,
        });
      }
      rmSync(join(scratch, file));
    },
  };
}
