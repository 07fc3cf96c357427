import { Command, CommanderError } from 'commander';
import { expect, test } from 'vitest';
import { registerBenchB2bua } from '../../../src/cli/bench-b2bua.ts';

/** What the command says and how it ends when its usage is wrong. */
async function usageError(...words: string[]): Promise<{ message: string; exitCode: number }> {
  let written = '';
  const program = new Command('causeway').exitOverride().configureOutput({
    writeErr: (text) => {
      written += text;
    },
  });
  registerBenchB2bua(program.command('bench'));
  try {
    await program.parseAsync(['bench', 'b2bua', ...words], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return { message: written, exitCode: error.exitCode };
    throw error;
  }
  throw new Error('the usage was accepted');
}

const NG = ['--ng', '127.0.0.1:2223'];

const wrong: [words: string[], message: string][] = [
  [[], "required option '--ng"],
  [['--ng', '127.0.0.1:0'], 'the port must be 1 to 65535'],
  [[...NG, '--calls', '40000'], 'must be a whole number from 1 to 32768'],
  [[...NG, '--caller', 'zrtp'], 'must be rtp, srtp, or the name of an SDES suite'],
  [[...NG, '--callee', 'F8_128_HMAC_SHA1_80'], 'must be rtp, srtp, or the name of an SDES suite'],
  [[...NG, '--zones', 'external'], 'must be two names'],
  [[...NG, '--zones', 'a,b,c'], 'must be two names'],
  [[...NG, '--direction', 'sideways'], 'Allowed choices are up, down, both'],
  [[...NG, '--media-address', 'localhost'], 'must be an IP address'],
  [[...NG, '--outstanding', '0'], 'must be a whole number from 1'],
  [[...NG, '--speed', '3'], "unknown option '--speed'"],
];

for (const [words, message] of wrong) {
  test(`refuses ${words.join(' ') || 'nothing at all'}`, async () => {
    const { exitCode, message: said } = await usageError(...words);
    expect(said).toContain(message);
    expect(exitCode).not.toBe(0);
  });
}

test('an engine whose name does not resolve is told as a failure, not as a bug', async () => {
  await expect(usageError('--ng', 'no-such-host.invalid')).rejects.toMatchObject({ code: 'BENCH_FAILED' });
});
