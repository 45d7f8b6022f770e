/** How src/main.ts becomes one file, for this machine and for the release. */
import { join } from 'node:path';
import { root } from './tools.mjs';

/** Options for esbuild; the outcome does not depend on where the clone is. */
export function bundleOptions(outfile) {
  return {
    absWorkingDir: root,
    entryPoints: [join(root, 'src/main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    logLevel: 'warning',
    external: ['mmap-io', 'ffi-napi', '*.node'],
    define: { 'import.meta.url': 'bundleUrl' },
    banner: { js: "#!/usr/bin/env node\nconst bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
  };
}
