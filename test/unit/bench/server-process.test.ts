import { describe, expect, test } from 'vitest';
import { processCpuSeconds, processMemoryBytes, processThreads } from '../../../src/bench/server-process.ts';

describe.skipIf(process.platform !== 'linux')('what /proc tells of a process', () => {
  test('its CPU time is that of all its threads so far, to a tick', () => {
    const before = process.cpuUsage();
    const told = processCpuSeconds(process.pid);
    const after = process.cpuUsage();
    expect(told).toBeGreaterThan((before.user + before.system) / 1e6 - 0.05);
    expect(told).toBeLessThan((after.user + after.system) / 1e6 + 0.05);
  });

  test('its memory grows with what it touches', () => {
    const before = processMemoryBytes(process.pid);
    const touched = Buffer.alloc(64 * 2 ** 20, 1);
    expect(processMemoryBytes(process.pid) - before).toBeGreaterThan(60 * 2 ** 20);
    expect(touched[1]).toBe(1);
  });

  test('it has at least one thread', () => {
    expect(processThreads(process.pid)).toBeGreaterThanOrEqual(1);
  });
});
