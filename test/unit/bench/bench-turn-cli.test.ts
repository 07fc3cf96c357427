import { Command, CommanderError } from 'commander';
import { expect, test } from 'vitest';
import { registerBenchTurn } from '../../../src/cli/bench-turn.ts';

/** What the command says and how it ends when its usage is wrong. */
async function usageError(...words: string[]): Promise<{ message: string; exitCode: number }> {
  let written = '';
  const program = new Command('causeway').exitOverride().configureOutput({
    writeErr: (text) => {
      written += text;
    },
  });
  registerBenchTurn(program.command('bench'));
  try {
    await program.parseAsync(['bench', 'turn', ...words], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return { message: written, exitCode: error.exitCode };
    throw error;
  }
  throw new Error('the usage was accepted');
}

const SERVER = ['--server', '127.0.0.1:3478'];

const wrong: [words: string[], message: string][] = [
  [['--no-auth'], "required option '--server"],
  [SERVER, "give credentials with '--user name:password'"],
  [[...SERVER, '--user', 'alice:secret', '--no-auth'], 'exclude each other'],
  [[...SERVER, '--user', 'alice'], 'must be name:password'],
  [['--no-auth', '--server', '127.0.0.1:70000'], 'the port must be 1 to 65535'],
  [['--no-auth', '--server', '[127.0.0.1]:3478'], 'must be host:port, [IPv6]:port or a host'],
  [['--no-auth', '--server', 'a:b:c'], 'must be host:port, [IPv6]:port or a host'],
  [[...SERVER, '--no-auth', '--flows', '0'], 'must be a whole number from 1 to 65536'],
  [[...SERVER, '--no-auth', '--pps', '1e5'], 'must be a whole number'],
  [[...SERVER, '--no-auth', '--payload-bytes', '23'], 'must be a whole number from 24'],
  [[...SERVER, '--no-auth', '--direction', 'sideways'], 'Allowed choices are up, down, both'],
  [[...SERVER, '--no-auth', '--mode', 'tcp'], 'Allowed choices are channel, indication'],
  [[...SERVER, '--no-auth', '--peer-address', 'localhost'], 'must be an IP address'],
  [[...SERVER, '--no-auth', '--speed', '3'], "unknown option '--speed'"],
];

for (const [words, message] of wrong) {
  test(`refuses ${words.join(' ')}`, async () => {
    const { exitCode, message: said } = await usageError(...words);
    expect(said).toContain(message);
    expect(exitCode).not.toBe(0);
  });
}

test('a server whose name does not resolve is told as a failure, not as a bug', async () => {
  const failure = usageError('--no-auth', '--server', 'no-such-host.invalid:3478');
  await expect(failure).rejects.toMatchObject({ code: 'BENCH_FAILED' });
});
