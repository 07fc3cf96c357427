/** The lab's command line: `npm run lab -- [command] [options]`. */
import { Command, CommanderError, Option } from 'commander';
import { EXIT_FAILED, EXIT_FINE, EXIT_USAGE } from './commands/exit-codes.ts';
import { down, keepUp, status, up } from './commands/keep.ts';
import { addSharedOptions, type SharedOptions } from './commands/options.ts';
import { type RunCommandOptions, run } from './commands/run.ts';
import { errorLine, LabError } from './lab-error.ts';

/** Returns the exit code; what a command throws is printed. */
async function main(argv: readonly string[]): Promise<number> {
  let exitCode = EXIT_FINE;
  const program = buildProgram((code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_FINE : EXIT_USAGE; // it has printed
    const isUsage = error instanceof LabError;
    process.stderr.write(`lab: ${isUsage ? error.message : errorLine(error)}\n`);
    return isUsage ? EXIT_USAGE : EXIT_FAILED;
  }
}

function buildProgram(ended: (exitCode: number) => void): Command {
  const program = new Command('lab')
    .description(
      'An MRA deployment on this machine: Causeway nodes, phones behind NATs, and the path of every call',
    )
    .exitOverride()
    .showHelpAfterError('(npm run lab -- --help tells how)');
  const add = <Options>(
    name: string,
    description: string,
    action: (options: Options) => Promise<number>,
  ): Command =>
    program
      .command(name, { isDefault: name === 'run', hidden: name === 'keep' })
      .description(description)
      .action(async (options: Options) => ended(await action(options)));
  const runCommand = add(
    'run',
    'run a scenario, in a lab of its own or in the one that is up',
    (options: RunCommandOptions) => run(options),
  );
  addSharedOptions(runCommand)
    .option('-s, --scenario <name or file>', 'a file of your own, or one of the lab: paths, nats, faults, …')
    .addOption(
      new Option('--peers <which>', "the phones: the lab's own, or Kamailio, baresip and Chromium")
        .choices(['lab', 'real'])
        .default('lab'),
    )
    .option('--json', 'one JSON document at the end, and nothing else')
    .option('--stay', 'leave the lab up at the end, until Ctrl-C (so it is on a terminal)')
    .option('--no-stay', 'end when the scenario has ended')
    .option('--keep-logs', 'leave logs and configurations in the temporary folder');
  addSharedOptions(
    add('up', 'leave a lab up, for runs, pages and experiments', (options: SharedOptions) =>
      up(options, process.argv[1] ?? ''),
    ),
  );
  add('down', 'end the lab that is up', down);
  add('status', 'tell what is up', status);
  addSharedOptions(add('keep', 'what `up` leaves behind', keepUp));
  return program;
}

// Who reads may stop before the end (`| head`): no error of the lab's.
process.stdout.on('error', () => {});
// Not process.exit(), as in src/main.ts: a command that ends leaves nothing running.
process.exitCode = await main(process.argv.slice(2));
