/** A figure beside what it should be. */
export interface Verdict {
  readonly name: string;
  readonly value: number;
  readonly limit: number;
  readonly isMet: boolean;
}

export const toVerdictLine = ({ name, value, limit, isMet }: Verdict): string =>
  `${isMet ? 'met    ' : 'MISSED '} ${name}: ${value.toFixed(2)} (target ${limit})`;

/** Rows as text; the last column may be text, everything else is a figure. */
export function toTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  const last = widths.length - 1;
  return rows
    .map((row) =>
      row
        // The last column may be text; everything else is a figure.
        .map((cell, column) => (column === last ? cell : cell.padStart(widths[column] ?? 0)))
        .join('  '),
    )
    .join('\n');
}
