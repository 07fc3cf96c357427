/** `causeway config check` and `causeway config show`. */
import { configWarnings } from '../config/cross-checks.ts';
import { effectiveConfigYaml } from '../config/effective.ts';
import { readConfigFile, readTlsFiles } from '../config/files.ts';
import type { CliOutput } from './outcome.ts';

/**
 * Checks a configuration and the files it names; returns the exit code.
 * @throws ConfigError
 */
export function checkConfig(path: string, output: CliOutput): number {
  const config = readConfigFile(path);
  const tls = readTlsFiles(config, path);
  const warnings = configWarnings(config);
  if (tls && tls.notAfterMs < Date.now()) {
    warnings.push(`turn.tls.certificate: has expired on ${new Date(tls.notAfterMs).toISOString()}`);
  }
  for (const warning of warnings) output.err(`${path}: warning: ${warning}\n`);
  output.out(`${path}: valid\n`);
  return 0;
}

/**
 * Prints the configuration in force; returns the exit code.
 * @throws ConfigError
 */
export function showConfig(path: string | undefined, output: CliOutput): number {
  output.out(effectiveConfigYaml(readConfigFile(path)));
  return 0;
}
