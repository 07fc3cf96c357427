/** Tables of any number of columns that can be sorted by their headings, without a script. */
import type { Child } from 'hono/jsx';
import type { JSX } from 'hono/jsx/jsx-runtime';
import type { PageRequest } from './page.ts';

export interface Column<Row> {
  /** In the URL. */
  readonly key: string;
  readonly label: string;
  readonly isNumeric?: boolean;
  /** Its cells are the headings of their rows; one column of a table at most. */
  readonly isRowHeader?: boolean;
  cell(row: Row): Child;
  /** Absent: cannot be sorted by. Null comes last in either order. */
  sortBy?(row: Row): string | number | null;
}

export interface Sort {
  readonly key: string;
  readonly order: 'asc' | 'desc';
}

/** What the URL asks for; undefined: the order of the source. Unknown keys are no sort. */
export function sortOf({ query }: PageRequest, keys: readonly string[]): Sort | undefined {
  const key = query.sort;
  if (key === undefined || !keys.includes(key)) return undefined;
  return { key, order: query.order === 'desc' ? 'desc' : 'asc' };
}

const COLLATOR: Intl.Collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/** A sorted copy; equals stay in their order. */
export function sorted<Row>(
  rows: readonly Row[],
  order: Sort['order'],
  valueIn: (row: Row) => string | number | null,
): Row[] {
  const sign = order === 'asc' ? 1 : -1;
  return rows.toSorted((a, b) => {
    const [x, y] = [valueIn(a), valueIn(b)];
    if (x === null || y === null) return Number(x === null) - Number(y === null);
    return sign * (typeof x === 'number' && typeof y === 'number' ? x - y : COLLATOR.compare(`${x}`, `${y}`));
  });
}

export interface DataTableProps<Row> {
  /** Of the element; unique on the page. */
  readonly id: string;
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  /** Distinguishes the rows while the page is updated. */
  rowKey(row: Row): string;
  /** Present: columns can be sorted by as the URL says; one table of a page at most. */
  readonly request?: PageRequest;
  /** Said in place of rows. */
  readonly empty: string;
}

export function DataTable<Row>(props: DataTableProps<Row>): JSX.Element {
  const { id, caption, columns, rows, request, empty } = props;
  const sort = request && sortOf(request, sortableKeys(columns));
  const valueIn = columns.find(({ key }) => key === sort?.key)?.sortBy;
  const shown = sort && valueIn ? sorted(rows, sort.order, valueIn) : rows;
  return (
    <ScrollRegion id={id}>
      <table>
        <caption id={`${id}-caption`}>{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <HeaderCell
                column={column}
                sort={sort}
                href={request && column.sortBy && sortHref(request, column, sort, id)}
              />
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.length === 0 ? (
            <tr id={`${id}-empty`}>
              <td colspan={columns.length} class="empty">
                {empty}
              </td>
            </tr>
          ) : (
            shown.map((row) => (
              <tr id={`${id}-${props.rowKey(row)}`}>
                {columns.map((column) => (
                  <BodyCell column={column} row={row} />
                ))}
              </tr>
            ))
          )}
        </tbody>
      </table>
    </ScrollRegion>
  );
}

/** Lets what is wider than the window scroll on its own, by keyboard too; named by the caption `ID-caption`. */
export function ScrollRegion({ id, children }: { id: string; children?: Child }): JSX.Element {
  return (
    <section class="scroll" id={id} tabindex={0} aria-labelledby={`${id}-caption`}>
      {children}
    </section>
  );
}

export interface SortLinkProps {
  readonly href: string;
  readonly order: Sort['order'] | undefined;
  readonly children?: Child;
}

/** What stands in a heading that can be sorted by; `aria-sort` of the heading itself says the rest. */
export function SortLink({ href, order, children }: SortLinkProps): JSX.Element {
  const arrow = order === undefined ? '↕' : order === 'asc' ? '↑' : '↓';
  return (
    <a class="sort" href={href}>
      {children}
      <span class="arrow" aria-hidden="true">
        {arrow}
      </span>
    </a>
  );
}

/** The same page sorted by `key`; by the other order where it is sorted by it already. */
export function sortHref(
  { path, query }: PageRequest,
  column: { readonly key: string; readonly isNumeric?: boolean },
  sort: Sort | undefined,
  tableId: string,
): string {
  const first = column.isNumeric ? 'desc' : 'asc';
  const other = sort?.order === 'asc' ? 'desc' : 'asc';
  const order = sort?.key === column.key ? other : first;
  return `${path}?${new URLSearchParams({ ...query, sort: column.key, order })}#${tableId}`;
}

export function ariaSort(order: Sort['order'] | undefined): 'ascending' | 'descending' | 'none' {
  if (order === undefined) return 'none';
  return order === 'asc' ? 'ascending' : 'descending';
}

function sortableKeys<Row>(columns: readonly Column<Row>[]): string[] {
  return columns.filter(({ sortBy }) => sortBy).map(({ key }) => key);
}

interface HeaderCellProps<Row> {
  readonly column: Column<Row>;
  readonly sort: Sort | undefined;
  readonly href: string | undefined;
}

function HeaderCell<Row>({ column, sort, href }: HeaderCellProps<Row>): JSX.Element {
  const order = sort?.key === column.key ? sort.order : undefined;
  const isNumber = column.isNumeric ? 'number' : undefined;
  if (href === undefined) {
    return (
      <th scope="col" class={isNumber}>
        {column.label}
      </th>
    );
  }
  return (
    <th scope="col" class={isNumber} aria-sort={ariaSort(order)}>
      <SortLink href={href} order={order}>
        {column.label}
      </SortLink>
    </th>
  );
}

function BodyCell<Row>({ column, row }: { column: Column<Row>; row: Row }): JSX.Element {
  if (column.isRowHeader) return <th scope="row">{column.cell(row)}</th>;
  return <td class={column.isNumeric ? 'number' : undefined}>{column.cell(row)}</td>;
}

/** Names and values, one a line. */
export function FactTable(props: {
  id: string;
  caption: string;
  facts: readonly (readonly [name: string, value: Child])[];
}): JSX.Element {
  return (
    <div class="facts" id={props.id}>
      <table>
        <caption>{props.caption}</caption>
        <tbody>
          {props.facts.map(([name, value]) => (
            <tr>
              <th scope="row">{name}</th>
              <td>{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
