import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** Real peers take seconds each; files run one after the other, as they share relay ports and two cores. */
const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/interop/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    maxConcurrency: 3,
    testTimeout: 90_000,
    hookTimeout: 60_000,
  },
});

export default config;
