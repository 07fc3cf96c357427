/** What users are given to begin with is valid, and the pair of nodes fits together. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { formatEndpoint } from '../../src/wire/address.ts';

const PROJECT = resolve(import.meta.dirname, '../..');
const EXAMPLES = join(PROJECT, 'examples');

describe('each example configuration', () => {
  it.each(readdirSync(EXAMPLES).filter((name) => name.endsWith('.yaml')))('%s is valid', async (name) => {
    const file = join(EXAMPLES, name);
    const [printed, warnings]: [string[], string[]] = [[], []];
    const output = { out: (text: string) => printed.push(text), err: (text: string) => warnings.push(text) };
    expect(await runCli(['config', 'check', file], output)).toBe(0);
    expect(printed).toEqual([`${file}: valid\n`]);
    expect(warnings).toEqual([]);
  });

  it('has its node named in the guide to deployment, or in its own', () => {
    const guides = ['docs/deployment.md', 'examples/README.md'].map((name) => text(name)).join('');
    for (const name of readdirSync(EXAMPLES).filter((one) => one !== 'README.md'))
      expect(guides).toContain(name);
  });
});

it('YAML in the guide to deployment is valid', () => {
  const blocks = [...text('docs/deployment.md').matchAll(/^```yaml\n(.*?)^```$/gms)];
  expect(blocks).not.toHaveLength(0);
  for (const [, yaml] of blocks) loadConfig(yaml, 'docs/deployment.md');
});

describe('the pair of an edge and a core', () => {
  const [edge, core] = [example('edge.yaml'), example('core.yaml')];

  it('the core asks the edge where that listens, by its name, with its token', () => {
    const { address, port } = edge.admin.http;
    const url = `http://${formatEndpoint(address, port)}`;
    expect(core.node.peers).toEqual([{ name: edge.node.name, url, token: edge.admin.token }]);
  });

  it('the edge relays untouched what the core lets pass through or ends', () => {
    expect(edge.b2bua.zones.map(({ media }) => media)).toEqual(['relay', 'relay']);
    const traversal = core.b2bua.zones.find(({ name }) => name === 'traversal');
    expect(traversal).toMatchObject({ media: 'terminate', signalling: 'tls', icePassthrough: true });
    expect(edge.b2bua.zones.map(({ name }) => name)).toContain('traversal');
    expect([edge.turn.services, core.turn.services]).toEqual([true, false]);
  });
});

function example(name: string): Config {
  return loadConfig(text(`examples/${name}`), name);
}

function text(name: string): string {
  return readFileSync(join(PROJECT, name), 'utf8');
}
