/**
 * A plugin's page: an iframe with an origin of its own that can make no requests. It reaches the
 * editor only by messages, each of which is validated.
 */
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import type { MessageFromPage, MessageToPage } from "../api/extensions";
import { writeJson } from "../document/json";
import { settingsOf } from "../state/catalog/extensions";
import { useSetting, useSettings } from "../state/session/settings";
import { notifyError } from "../state/session/view";
import { keptPages, PluginPage } from "./pages";

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
  /**
   * The name under which the page is kept while this place is not shown, and the document it belongs
   * to; without it the page ends with its place.
   */
  kept?: { name: string; tab: string | null };
}

const COLOURS = ["canvas", "node", "panel", "field", "line", "text", "dim", "accent", "on-accent"];

function theme(): Record<string, string> {
  const style = getComputedStyle(document.documentElement);
  const names = [...COLOURS, "ok", "warn", "error"].map((name) => `--${name}`);
  return Object.fromEntries(
    ["color-scheme", ...names].map((name) => [name, style.getPropertyValue(name).trim()]),
  );
}

export function Frame({ pack, page, title, height, content, value, onMessage, kept }: Props) {
  const slot = useRef<HTMLDivElement>(null);
  const shown = useRef<PluginPage | null>(null);
  const [ready, setReady] = useState(0);
  const chosen = useSetting("calotype.theme");
  const language = useSetting("calotype.language");
  const own = useSettings(() => writeJson(settingsOf(pack)));
  const latest = useRef({ content, onMessage });
  latest.current = { content, onMessage };
  const first = useRef({ pack, page, title, height, kept });

  useLayoutEffect(() => {
    const { current: place } = slot;
    if (place === null) return;
    const { current: made } = first;
    const before = made.kept === undefined ? null : keptPages.take(made.kept.name, place);
    const plugin = before ?? new PluginPage(made.pack, made.page, made.title, made.height);
    shown.current = plugin;
    plugin.show(place, {
      onReady: setReady,
      onMessage: (message) => latest.current.onMessage(message),
    });
    setReady(plugin.ready);
    return () => {
      shown.current = null;
      if (made.kept === undefined) plugin.end();
      else keptPages.keep({ ...made.kept, page: plugin });
    };
  }, []);

  useEffect(() => {
    const plugin = shown.current;
    const told = writeJson([ready, chosen, language, own]);
    // A page that was kept knows it already, and would begin again.
    if (plugin === null || ready === 0 || plugin.told === told) return;
    let ended = false;
    Promise.resolve(latest.current.content()).then((more) => {
      if (ended) return;
      plugin.told = told;
      plugin.send({ type: "init", ...more, theme: theme(), language });
    }, notifyError);
    return () => {
      ended = true;
    };
  }, [ready, chosen, language, own]);

  useEffect(() => {
    if (ready > 0 && value !== undefined) shown.current?.send({ type: "value", value });
  }, [ready, value]);

  return <div ref={slot} className="plugin-slot" />;
}
