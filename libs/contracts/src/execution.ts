/**
 * What a runtime needs of the contracts: documents, executions, flavours, messages and problems, and no API. Schemas take memory
 * and time where they are made, and there are many runtimes on a machine.
 */
export * from './documents.js';
export * from './executions.js';
export * from './flavour-name.js';
export * from './flavours.js';
export * from './messages.js';
export * from './problems.js';
