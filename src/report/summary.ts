// Writes the last words of a campaign, with the last lines of what failed read from their logs.
import { resolve } from 'node:path';
import type { Board, Row } from './board.ts';
import { drawSummary, type Quote } from './draw-summary.ts';
import { shortPath } from './error-text.ts';
import type { Io, Stream } from './io.ts';
import type { ReportOptions } from './report.ts';
import { styleFor } from './style.ts';
import { readQuote } from './tail.ts';

const QUOTED_LINES = 6;
const QUOTED_CALIBRATIONS = 5;

export async function writeSummary(board: Board, io: Io, options: ReportOptions, stream: Stream): Promise<void> {
  if (board.ended === null || board.started === null) return;
  const lines = drawSummary(board, {
    columns: Math.min(stream.columns, 100),
    style: styleFor(stream, io.env),
    output: shortPath(board.started.output, io.cwd),
    resume: options.resume,
    quotes: await readQuotes(board, board.started.output),
  });
  stream.write(`\n${lines.join('\n')}\n`);
}

async function readQuotes(board: Board, output: string): Promise<ReadonlyMap<string, Quote>> {
  const quotes = new Map<string, Quote>();
  for (const row of board.rows.filter((each) => each.state === 'failed').slice(0, QUOTED_CALIBRATIONS)) {
    const failed = whatFailed(row);
    if (failed === null) continue;
    for (const name of ['stderr', 'stdout']) {
      // A log that cannot be read must not hide why the campaign failed.
      const lines = await readQuote(resolve(output, failed.directory, name), QUOTED_LINES).catch(() => []);
      if (lines.length === 0) continue;
      quotes.set(row.name, { title: failed.title, lines });
      break;
    }
  }
  return quotes;
}

function whatFailed(row: Row): { readonly title: string; readonly directory: string } | null {
  const [job] = row.failedJobs;
  if (job !== undefined) return { title: `${job.collection}/${job.job}`, directory: job.directory };
  const [algorithm] = row.failedAlgorithms;
  if (algorithm === undefined || algorithm.directory === null) return null;
  return { title: algorithm.algorithm, directory: algorithm.directory };
}
