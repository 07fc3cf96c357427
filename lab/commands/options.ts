/** Options that several commands of the lab have, and the words of their values. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { NetworkWish } from '../network/choose-network.ts';

export interface SharedOptions {
  readonly network: NetworkWish;
  readonly pagePort?: number;
  readonly seed: number;
}

const SEED = 1;

export function addSharedOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--network <kind>', 'network namespaces where possible, else simulated')
        .choices(['auto', 'namespaces', 'simulated'])
        .default('auto'),
    )
    .option('--page-port <port>', 'of the status pages on this machine (default: 8080, or any)', portNumber)
    .option('--seed <number>', 'of what is random in a simulated network', wholeNumber, SEED);
}

function portNumber(text: string): number {
  const port = wholeNumber(text);
  if (port > 65_535) throw new InvalidArgumentError('must be a port, 0 to 65535.');
  return port;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('must be a whole number.');
  return Number(text);
}
