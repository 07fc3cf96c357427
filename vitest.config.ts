import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/{unit,conformance,sim,fuzz,e2e}/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 30_000,
  },
});
