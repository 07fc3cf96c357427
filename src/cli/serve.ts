/** `causeway serve`: runs a node until it is told to end. */
import { readConfigFile } from '../config/files.ts';
import { createLogger } from '../node/log.ts';
import { CausewayNode } from '../node/node.ts';
import { EXIT_FAILED, EXIT_FINE } from './outcome.ts';

/**
 * Resolves with the exit code once the node has ended: SIGTERM and SIGINT end it cleanly, SIGHUP reads
 * the TLS certificate again. Rejects with ConfigError or a coded error where it cannot start.
 */
export async function serve(configPath: string | undefined): Promise<number> {
  const config = readConfigFile(configPath);
  const log = createLogger(config.node.log);
  let resolveEnded: (exitCode: number) => void = () => {};
  const ended = new Promise<number>((resolve) => {
    resolveEnded = resolve;
  });
  const end = (signal: string): void => {
    log.info(`${signal}: stopping`);
    resolveEnded(EXIT_FINE);
  };
  // Listened to before the start, so that a signal during it is not lost.
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  const node = await CausewayNode.start(config, configPath ?? 'defaults', log, () =>
    resolveEnded(EXIT_FAILED),
  );
  const { generatedCredential } = node;
  if (generatedCredential) {
    // Not through the log, which may be kept: it holds no secrets.
    process.stderr.write(
      `No credential is configured. For this run there is user "${generatedCredential.name}" with password ` +
        `"${generatedCredential.password}"; set turn.credentials to have your own.\n`,
    );
  }
  const reload = (): void => void node.reloadTls();
  process.on('SIGHUP', reload);
  const exitCode = await ended;
  process.off('SIGHUP', reload);
  await node.stop();
  return exitCode;
}
