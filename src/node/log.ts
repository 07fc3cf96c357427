/** The node's log: one line an event, readable on a terminal, JSON for machines. */
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino';
import pretty from 'pino-pretty';
import type { LogConfig } from '../config/config.ts';
import { MASK, maskSecrets, SECRET_KEYS } from '../config/secrets.ts';

/** Where log lines go and whether someone reads them there. */
export interface LogTarget {
  readonly isTerminal: boolean;
  /** Takes lines; absent: standard output. */
  readonly stream?: DestinationStream & NodeJS.WritableStream;
}

/**
 * A logger as `node.log` says. Writes synchronously: a node logs events, not packets, and what it said
 * last before it ended must not be lost. No secret reaches it.
 */
export function createLogger(
  config: LogConfig,
  target: LogTarget = { isTerminal: process.stdout.isTTY === true },
): Logger {
  const readable = config.format === 'pretty' || (config.format === 'auto' && target.isTerminal);
  return pino(
    {
      level: config.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => maskSecrets(fields) as Record<string, unknown>, // however deep they lie
      },
      // The fields of child loggers do not pass through the formatter.
      redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`]), censor: MASK },
    },
    readable ? prettyStream(target) : (target.stream ?? destination({ fd: 1, sync: true })),
  );
}

/** In this process and thread: a worker for a few lines would cost more than the lines. */
function prettyStream(target: LogTarget): DestinationStream {
  return pretty({
    colorize: target.isTerminal,
    sync: true,
    translateTime: 'SYS:HH:MM:ss.l',
    destination: target.stream ?? 1,
  });
}
