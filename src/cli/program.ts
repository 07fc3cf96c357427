/**
 * The command line. One file a command, imported only when it is called, so that `config check` needs
 * neither sockets nor threads.
 */
import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config/config-error.ts';
import { packageVersion } from '../node/version.ts';
import { type CliOutput, EXIT_FAILED, EXIT_FINE, EXIT_USAGE } from './outcome.ts';

const PROCESS_OUTPUT: CliOutput = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

/**
 * Runs one command and tells the exit code. Never throws: what a command throws is printed.
 * @param argv the words after `causeway`
 */
export async function runCli(argv: readonly string[], output: CliOutput = PROCESS_OUTPUT): Promise<number> {
  let exitCode = EXIT_FINE;
  const program = buildProgram(output, (code) => {
    exitCode = code;
  });
  try {
    if (argv.includes('bench')) await addBenchCommands(program);
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    return report(error, output);
  }
}

function buildProgram(output: CliOutput, ended: (exitCode: number) => void): Command {
  const program = new Command('causeway')
    .description(
      'The media plane of a Mobile and Remote Access deployment: a TURN server and what grows around it',
    )
    .version(packageVersion())
    .exitOverride()
    .configureOutput({ writeOut: output.out, writeErr: output.err })
    .showHelpAfterError('(causeway --help tells how)');

  program
    .command('serve')
    .description('run a node until SIGTERM or SIGINT')
    .option('-c, --config <file>', 'configuration (YAML); without it the defaults')
    .action(async (options: { config?: string }) => {
      const { serve } = await import('./serve.ts');
      ended(await serve(options.config));
    });

  const config = program.command('config').description('check or show a configuration');
  config
    .command('check')
    .description('tell whether a configuration is valid, and everything that is wrong with it')
    .argument('<file>', 'configuration (YAML)')
    .action(async (file: string) => {
      const { checkConfig } = await import('./config.ts');
      ended(checkConfig(file, output));
    });
  config
    .command('show')
    .description('print the configuration in force, with every default, secrets masked')
    .option('-c, --config <file>', 'configuration (YAML); without it the defaults')
    .action(async (options: { config?: string }) => {
      const { showConfig } = await import('./config.ts');
      ended(showConfig(options.config, output));
    });

  program.command('bench').description('generate load and measure');
  return program;
}

async function addBenchCommands(program: Command): Promise<void> {
  const bench = program.commands.find((command) => command.name() === 'bench');
  const { registerBenchB2bua } = await import('./bench-b2bua.ts');
  const { registerBenchTurn } = await import('./bench-turn.ts');
  if (!bench) return;
  registerBenchTurn(bench);
  registerBenchB2bua(bench);
}

/** Prints what ended a command and tells the exit code for it. */
function report(error: unknown, output: CliOutput): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_FINE : EXIT_USAGE; // it has printed
  if (error instanceof ConfigError) {
    output.err(`${error.message}\n`);
    return EXIT_USAGE;
  }
  // An error with a code (EADDRINUSE, ENGINE_UNAVAILABLE) was foreseen and explains itself; any other is a bug.
  const foreseen = error instanceof Error && 'code' in error;
  output.err(
    `causeway: ${error instanceof Error && !foreseen ? error.stack : String((error as Error)?.message ?? error)}\n`,
  );
  return EXIT_FAILED;
}
