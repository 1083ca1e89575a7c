// The quiet report: silence on success; of a failure or an interruption, the summary, on standard error.
import { type Board, emptyBoard, foldBoard } from './board.ts';
import type { Io } from './io.ts';
import type { Report, ReportOptions } from './report.ts';
import { writeSummary } from './summary.ts';

export function createQuietReport(io: Io, options: ReportOptions): Report {
  let board: Board = emptyBoard;
  return {
    event: (event) => {
      board = foldBoard(board, event);
    },
    close: async () => {
      if (board.ended !== null && board.ended.outcome !== 'completed') await writeSummary(board, io, options, io.stderr);
    },
  };
}
