// The front door: what a config imports from 'calibration-framework'.
import { refuseToBeStarted } from './config/load-guard.ts';

export type {
  AlgorithmContext,
  BoundariesContext,
  Collect,
  CollectContext,
  CollectedRecord,
  Commit,
  CommitFile,
  CommitIntraRun,
  CommitOptions,
  Conditions,
  ConditionsOptions,
  Data,
  FilePayload,
  FindBoundaries,
  Log,
  LogDetails,
  PayloadValue,
  Record as RecordFunction,
  RunAlgorithm,
  Setup,
  SetupContext,
  ValuePayload,
} from './config/contexts.ts';
export {
  command,
  defineCalibration,
  defineConfig,
  definePayload,
  defineStrategy,
  gridEngine,
  htcondor,
  local,
  lsf,
  type PayloadOptions,
  pbs,
  type StrategyOptions,
  slurm,
} from './config/define.ts';
export type {
  AlgorithmOptions,
  BackendOption,
  Calibration,
  CalibrationOptions,
  CollectionOptions,
  Config,
  ConfigOptions,
  Env,
  GridEngineBackend,
  HtcondorBackend,
  JobToSize,
  LocalBackend,
  LsfBackend,
  PbsBackend,
  ResourceOptions,
  RunsOption,
  SiteOption,
  SplitOptions,
} from './config/options.ts';
export type { AlgorithmListener, AlgorithmOutcome, AlgorithmRun, AlgorithmsRunner, StrategyJob } from './domain/algorithms-runner.ts';
export type { AlgorithmResult, Command, FinalState, Granularity } from './domain/calibration.ts';
export { CafError, type CafErrorOptions, type ErrorCode, type Problem } from './domain/errors.ts';
export type { Iov, Run } from './domain/iov.ts';
export type { PayloadDefinition } from './domain/payload.ts';
export { type SequentialBoundariesOptions, sequentialBoundaries } from './strategies/sequential-boundaries.ts';
export { type SequentialRunByRunOptions, sequentialRunByRun } from './strategies/sequential-run-by-run.ts';
export { type SimpleRunByRunOptions, simpleRunByRun } from './strategies/simple-run-by-run.ts';
export { type SingleIovOptions, singleIov } from './strategies/single-iov.ts';
export type { Strategy, StrategyAnswer, StrategyContext, StrategyEnd, StrategyRequest } from './strategies/strategy.ts';

refuseToBeStarted();
