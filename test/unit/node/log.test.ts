import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { LogConfig } from '../../../src/config/config.ts';
import { createLogger } from '../../../src/node/log.ts';

/** Runs `write` with a logger of this configuration; returns what came out. */
function logged(
  config: Partial<LogConfig>,
  isTerminal: boolean,
  write: (log: ReturnType<typeof createLogger>) => void,
): string {
  let text = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  write(createLogger({ level: 'info', format: 'auto', ...config }, { isTerminal, stream }));
  return text;
}

describe('createLogger', () => {
  it('writes one JSON object a line where nobody reads along, at once', () => {
    const text = logged({}, false, (log) => {
      log.info({ port: 3478 }, 'listening');
      log.debug('not said');
    });
    expect(JSON.parse(text)).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      port: 3478,
      msg: 'listening',
    });
  });

  it.each([
    ['a terminal', { format: 'auto' }, true],
    ['a file, when told to be pretty', { format: 'pretty' }, false],
  ] as const)('writes for people on %s', (_what, config, isTerminal) => {
    const text = logged(config, isTerminal, (log) => log.warn('an open relay'));
    expect(text).toMatch(/WARN.*an open relay/);
    expect(text).not.toContain('{');
  });

  it('writes JSON on a terminal when told to', () => {
    expect(JSON.parse(logged({ format: 'json' }, true, (log) => log.info('x')))).toMatchObject({ msg: 'x' });
  });

  it('says nothing at level silent', () => {
    expect(logged({ level: 'silent' }, false, (log) => log.fatal('x'))).toBe('');
  });

  it.each(['json', 'pretty'] as const)('never writes a secret (%s)', (format) => {
    const text = logged({ format }, false, (log) => {
      log.info(
        { credential: { name: 'alice', password: 'hunter2' }, a: [{ b: { sharedSecret: 'hunter2' } }] },
        'x',
      );
      log
        .child({ token: 'hunter2', peer: { token: 'hunter2' } })
        .info({ authorization: 'Bearer hunter2' }, 'y');
    });
    expect(text).toContain('alice');
    expect(text).not.toContain('hunter2');
  });

  it('writes errors with their stack', () => {
    const text = logged({}, false, (log) => log.error({ err: new Error('boom') }, 'failed'));
    expect(JSON.parse(text)).toMatchObject({
      err: { message: 'boom', stack: expect.stringContaining('log.test') },
    });
  });
});
