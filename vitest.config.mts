import { defineConfig } from 'vitest/config';

const project = (name: string, timeout: number, serial = false, globalSetup: string[] = []) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeout,
    hookTimeout: timeout,
    globalSetup,
    ...(serial ? { fileParallelism: false } : {}),
  },
});

export default defineConfig({
  test: {
    projects: [
      project('unit', 30_000),
      project('nodes', 30_000),
      project('system', 180_000, true, ['test/system/global-setup.ts']),
      project('sqlserver', 300_000, true),
      project('browser', 180_000, true),
      project('matrix', 600_000, true, ['test/matrix/global-setup.ts']),
    ],
  },
});
