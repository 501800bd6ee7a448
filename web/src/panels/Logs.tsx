/** The server's log: live, filtered by what is typed, and copied as a whole. */
import { Copy } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { followLogs, useLogs } from "../state/session/logs";
import { notify, notifyError } from "../state/session/view";
import { t } from "../words/words";
import "./logs.css";

/** How near the end one must be for the list to follow new lines, in pixels. */
const NEAR = 24;

export function Logs() {
  const entries = useLogs((state) => state.entries);
  const [typed, setTyped] = useState("");
  const list = useRef<HTMLPreElement>(null);
  const follows = useRef(true);
  useEffect(() => followLogs(notifyError), []);
  const wanted = typed.trim().toLowerCase();
  const lines = entries.filter(({ m }) => wanted === "" || m.toLowerCase().includes(wanted));
  const text = lines.map(({ t: time, m }) => `${time} ${m.trimEnd()}`).join("\n");
  // biome-ignore lint/correctness/useExhaustiveDependencies: new text moves the end
  useEffect(() => {
    const element = list.current;
    if (element !== null && follows.current) element.scrollTop = element.scrollHeight;
  }, [text]);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    notify(t("The log is in the clipboard."));
  };
  return (
    <div className="logs">
      <div className="logs-tools">
        <input
          type="search"
          aria-label={t("Filter the log")}
          placeholder={t("Filter the log")}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        <button type="button" className="chip" onClick={() => void copy().catch(notifyError)}>
          <Copy size={13} aria-hidden />
          {t("Copy")}
        </button>
      </div>
      <pre
        ref={list}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: keys scroll it
        tabIndex={0}
        role="log"
        aria-label={t("Log")}
        aria-live="off"
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          follows.current = scrollHeight - scrollTop - clientHeight < NEAR;
        }}
      >
        {text === "" ? t("No line matches.") : text}
      </pre>
    </div>
  );
}
