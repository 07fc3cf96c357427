#!/usr/bin/env node
/** The command line's entry: everything is in `cli/`. */
import { runCli } from './cli/program.ts';

// By name, not by running out of work: a thread of a node that failed may still be at work.
process.exit(await runCli(process.argv.slice(2)));
