/** Where the project is: the lab runs compiled, from a folder of its own, and starts programs of others. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = findRoot(import.meta.dirname);

/** A file by its path from the project's root. */
export function projectFile(path: string): string {
  return join(root, path);
}

function findRoot(directory: string): string {
  if (existsSync(join(directory, 'package.json'))) return directory;
  const parent = dirname(directory);
  if (parent === directory)
    throw new Error('the lab runs within the project alone: no package.json above it');
  return findRoot(parent);
}
