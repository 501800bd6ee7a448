/**
 * A plugin's page: an iframe with an origin of its own that can make no requests. It reaches the
 * editor only by messages, each of which is validated.
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
import { settingsOf } from "../state/catalog/extensions";
import { handlePageKey } from "../state/commands/keymap";
import { useSetting, useSettings } from "../state/session/settings";
import { notifyError } from "../state/session/view";

/** The content of a page, without the fields that all pages get. */
export type PageContent = Omit<MessageToPage, "calotype" | "type" | "theme" | "language">;

interface Props {
  pack: string;
  page: string;
  title: string;
  height: number;
  /** Called when the page is ready. */
  content: () => PageContent | Promise<PageContent>;
  /** Sent again when it changes; undefined if the page shows no value. */
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
  /** How often the page has said that it is ready: a reloaded page needs its content again. */
  const [ready, setReady] = useState(0);
  const [tall, setTall] = useState(height);
  const chosen = useSetting("calotype.theme");
  const language = useSetting("calotype.language");
  const own = useSettings(() => writeJson(settingsOf(pack)));
  const latest = useRef({ content, onMessage });
  latest.current = { content, onMessage };

  const send = useCallback((message: Omit<MessageToPage, "calotype">) => {
    // The page's origin is opaque, so a message cannot name it as its target.
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

  // biome-ignore lint/correctness/useExhaustiveDependencies: the content depends on theme and settings
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
