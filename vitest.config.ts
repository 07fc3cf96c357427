import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/{unit,conformance,sim,fuzz,e2e}/**/*.test.ts'],
    pool: 'forks',
    // By default one core stays idle.
    maxWorkers: '100%',
    testTimeout: 30_000,
  },
});

export default config;
