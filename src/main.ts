#!/usr/bin/env node
/** The command line's entry: everything is in `cli/`. */
import { runCli } from './cli/program.ts';

// Not process.exit(): where the compiler's threads are still at work it can wait for them for ever
// (nodejs/node#54918). A command that ends leaves nothing running, so the process ends by itself.
process.exitCode = await runCli(process.argv.slice(2));
