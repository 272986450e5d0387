import { fileURLToPath } from 'node:url';

/** What node runs to have an edge agent; {@link agentSchema} says what it reads. */
export const agentProgram: string = fileURLToPath(new URL('./main.js', import.meta.url));
