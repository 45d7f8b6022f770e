/** The generated pages of docs/ are what their declarations say. */
import assert from 'node:assert';
import { test } from 'uvu';
import { generated } from '../build/docs.ts';

for (const { page, is, should } of generated()) {
  test(`docs/${page} is up to date (node build.mjs docs writes it anew)`, () => {
    assert.ok(is === should, `docs/${page} is stale`);
  });
}

test.run();
