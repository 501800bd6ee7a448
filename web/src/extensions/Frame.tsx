/**
 * A plugin's page: an iframe with an origin of its own, no requests and no way to the editor but
 * messages, each of which is looked at before it is believed. Knows nothing of nodes.
 */
import { useCallback, useEffect, useRef, useState } from "react";
import { extensionUrl } from "../api/client";
import {
  EXTENSION_API,
  type MessageFromPage,
  type MessageToPage,
  readMessage,
} from "../api/extensions";
import { writeJson } from "../document/json";
import { settingsOf } from "../state/extensions";
import { handlePageKey } from "../state/keymap";
import { useSetting, useSettings } from "../state/settings";
import { notifyError } from "../state/view";

/** What a page is content, but for what every page is content. */
export type PageContent = Omit<MessageToPage, "calotype" | "type" | "theme" | "language">;

interface Props {
  pack: string;
  page: string;
  title: string;
  height: number;
  /** Asked when the page is ready. */
  content: () => PageContent | Promise<PageContent>;
  /** Sent again whenever it is another; undefined where the page shows no value. */
  value?: unknown;
  onMessage: (message: MessageFromPage) => void;
}

const COLOURS = ["canvas", "node", "panel", "field", "line", "text", "dim", "accent", "on-accent"];

function theme(): Record<string, string> {
  const style = getComputedStyle(document.documentElement);
  const names = [...COLOURS, "ok", "warn", "error"].map((name) => `--${name}`);
  return Object.fromEntries(
    ["color-scheme", ...names].map((name) => [name, style.getPropertyValue(name).trim()]),
  );
}

export function Frame({ pack, page, title, height, content, value, onMessage }: Props) {
  const frame = useRef<HTMLIFrameElement>(null);
  /** How often the page said so: one that was loaded anew knows nothing. */
  const [ready, setReady] = useState(0);
  const [tall, setTall] = useState(height);
  const chosen = useSetting("calotype.theme");
  const language = useSetting("calotype.language");
  const own = useSettings(() => writeJson(settingsOf(pack)));
  const latest = useRef({ content, onMessage });
  latest.current = { content, onMessage };

  const send = useCallback((message: Omit<MessageToPage, "calotype">) => {
    // The page's origin is opaque: it has no name that a message could be addressed to.
    frame.current?.contentWindow?.postMessage({ calotype: EXTENSION_API, ...message }, "*");
  }, []);

  useEffect(() => {
    const onWindowMessage = (event: MessageEvent) => {
      if (frame.current === null || event.source !== frame.current.contentWindow) return;
      const message = readMessage(event.data);
      if (message === null) return;
      if (message.type === "ready") setReady((before) => before + 1);
      else if (message.type === "size") setTall(message.height);
      else if (message.type === "key") {
        if (document.activeElement === frame.current) handlePageKey(message);
      } else latest.current.onMessage(message);
    };
    window.addEventListener("message", onWindowMessage);
    return () => window.removeEventListener("message", onWindowMessage);
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme and other settings are content anew
  useEffect(() => {
    if (ready === 0) return;
    let ended = false;
    Promise.resolve(latest.current.content()).then((more) => {
      if (!ended) send({ type: "init", ...more, theme: theme(), language });
    }, notifyError);
    return () => {
      ended = true;
    };
  }, [ready, chosen, language, own, send]);

  useEffect(() => {
    if (ready > 0 && value !== undefined) send({ type: "value", value });
  }, [ready, value, send]);

  return (
    <iframe
      ref={frame}
      className="plugin-frame"
      title={title}
      src={extensionUrl(pack, page)}
      sandbox="allow-scripts"
      referrerPolicy="no-referrer"
      style={{ height: tall, visibility: ready > 0 ? "visible" : "hidden" }}
    />
  );
}
