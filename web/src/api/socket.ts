/** The socket to the server: reconnects when it closes, and reports its state. */
import { type Preview, readFrame } from "./frames";
import type { ServerMessage } from "./types";

export type Connection = "connecting" | "open" | "closed";

interface Listener {
  onMessage(message: ServerMessage): void;
  onPreview(preview: Preview): void;
  onConnection(state: Connection): void;
}

interface SocketOptions {
  url: string;
  /** Parses text frames; passed in for the reason given in `transport.ts`. */
  parse: (text: string) => unknown;
  /** Replaced in tests. */
  open?: (url: string) => WebSocket;
}

const FIRST_RETRY_DELAY = 300;
const MAX_RETRY_DELAY = 5_000;
const FEATURE_FLAGS = { type: "feature_flags", data: { supports_preview_metadata: true } };

/** Connects. Returns a function that closes the socket for good. */
export function openSocket({ url, parse, open }: SocketOptions, listener: Listener): () => void {
  let socket: WebSocket | null = null;
  let retryDelay = FIRST_RETRY_DELAY;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;

  const connect = () => {
    listener.onConnection("connecting");
    socket = open?.(url) ?? new WebSocket(url);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      retryDelay = FIRST_RETRY_DELAY;
      socket?.send(JSON.stringify(FEATURE_FLAGS));
      listener.onConnection("open");
    };
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data === "string") {
        const message = messageOf(parse(data));
        if (message !== null) listener.onMessage(message);
        return;
      }
      const preview = readFrame(data);
      if (preview !== null) listener.onPreview(preview);
    };
    socket.onclose = () => {
      if (ended) return;
      listener.onConnection("closed");
      timer = setTimeout(connect, retryDelay);
      retryDelay = Math.min(retryDelay * 2, MAX_RETRY_DELAY);
    };
  };

  connect();
  return () => {
    ended = true;
    clearTimeout(timer);
    socket?.close();
  };
}

/** Messages of unknown types are passed on too; listeners ignore them. */
function messageOf(value: unknown): ServerMessage | null {
  const known = typeof value === "object" && value !== null && "type" in value && "data" in value;
  return known ? (value as ServerMessage) : null;
}
