/** The few colours of the live view. */
import { styleText } from 'node:util';

/** What a piece of text means; each has its colour. */
export type Meaning = 'right' | 'wrong' | 'attention' | 'secondary' | 'heading' | 'plain';

/** Text as the terminal shall have it; the same width. */
export type Paint = (meaning: Meaning, text: string) => string;

const STYLES = {
  right: 'green',
  wrong: 'red',
  attention: 'yellow',
  secondary: 'dim',
  heading: 'bold',
} as const;

export const withoutColours: Paint = (_meaning, text) => text;

/** Whoever calls has looked at the terminal and the environment; Node is not to look again. */
export const withColours: Paint = (meaning, text) =>
  meaning === 'plain' || text === '' ? text : styleText(STYLES[meaning], text, { validateStream: false });

/** As https://no-color.org and Node itself have it. */
export function wantsColours(
  environment: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): boolean {
  const { NO_COLOR, NODE_DISABLE_COLORS, TERM } = environment;
  return isTerminal && !NO_COLOR && !NODE_DISABLE_COLORS && TERM !== 'dumb';
}
