/**
 * The status pages. Each file here makes one page of what an AdminSource tells, with no script of its own: a page
 * is complete as the server renders it. What all have in common is in `layout.tsx`, `data-table.tsx` and `charts.tsx`.
 */
import type { Child } from 'hono/jsx';

/** What a page is asked with. */
export interface PageRequest {
  /** As it stands in the URL, still encoded. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
}

export interface Page {
  /** Heading, and first part of the window's title. */
  readonly title: string;
  /** All below the heading. */
  readonly content: Child;
  /** Where the same can be had by programs. */
  readonly data: readonly PageLink[];
}

export interface PageLink {
  readonly href: string;
  readonly text: string;
}

/** Entries of a page that lists relays or calls; `/api` lists more. */
export const ROWS_SHOWN = 200;
