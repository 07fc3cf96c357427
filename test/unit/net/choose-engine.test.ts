import { afterEach, describe, expect, it, vi } from 'vitest';

afterEach(() => {
  vi.doUnmock('../../../src/net/linux/libc.ts');
  vi.resetModules();
});

/** The chooser on a machine where the system calls of the batch engine cannot be had. */
async function withoutNative(): Promise<typeof import('../../../src/net/choose-engine.ts')> {
  vi.resetModules();
  const { EngineUnavailableError } = await import('../../../src/net/engine.ts');
  vi.doMock('../../../src/net/linux/libc.ts', () => ({
    loadNative: () => {
      throw new EngineUnavailableError('koffi does not load: no such binary');
    },
  }));
  return import('../../../src/net/choose-engine.ts');
}

describe('the choice of an engine', () => {
  it('falls back to dgram where batch does not work, and says why in one line', async () => {
    const { chooseEngine } = await withoutNative();
    expect(chooseEngine('auto')).toEqual({
      kind: 'dgram',
      fallbackReason: 'koffi does not load: no such binary',
    });
  });

  it('does not fall back where batch is wanted by name', async () => {
    const { chooseEngine } = await withoutNative();
    expect(() => chooseEngine('batch')).toThrow('koffi does not load: no such binary');
  });

  it('gives dgram where that is wanted', async () => {
    const { chooseEngine } = await import('../../../src/net/choose-engine.ts');
    expect(chooseEngine('dgram')).toEqual({ kind: 'dgram', fallbackReason: undefined });
  });

  it.runIf(process.platform === 'linux')('gives batch on Linux', async () => {
    const { chooseEngine } = await import('../../../src/net/choose-engine.ts');
    expect(chooseEngine('auto')).toEqual({ kind: 'batch', fallbackReason: undefined });
  });
});
