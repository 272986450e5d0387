/** The WebSocket subprotocol; a new incompatible form of the tunnel gets a new number. */
export const tunnelProtocol = 'gantry-tunnel.v1';
