import { fileURLToPath } from 'node:url';

/** What node runs to have an edge agent; {@link agentSchema} says what it reads. */
export const agentProgram: string = fileURLToPath(new URL('./main.js', import.meta.url));

/** The systemd unit that is shipped: a template for {@link agentProgram} in /opt/gantry. */
export const agentUnit: string = fileURLToPath(
  new URL('../systemd/gantry-edge-agent.service', import.meta.url),
);
