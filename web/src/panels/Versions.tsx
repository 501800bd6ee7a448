/**
 * Earlier versions of a workflow, with time, size and last edit; each can be viewed and restored.
 */

import { useEffect, useMemo, useState } from "react";
import type { Version } from "../api/library";
import { readLabel } from "../document/editLabel";
import { type Difference, differenceOf } from "../document/restore";
import { useVersionsOf } from "../state/files/saving";
import { namesOf, openVersion, readVersion, restoreVersion } from "../state/files/versions";
import { useEditor } from "../state/session/editor";
import { nameOf } from "../state/session/paths";
import { library } from "../state/session/server";
import { type Tab, useActive } from "../state/session/studio";
import { notifyError, openSheet } from "../state/session/view";
import { ago, dayAndTime } from "../words/format";
import { t, translateMessage } from "../words/words";
import { Dialog } from "./Dialog";
import { Miniature } from "./Miniature";
import "./question.css";
import "./versions.css";

export function Versions() {
  const path = useVersionsOf((state) => state.path);
  const tab = useActive((each) => each);
  const own = path === null || path === tab.path;
  const names = useMemo(() => (own ? namesOf(tab) : [path]), [own, path, tab]);
  const [found, setFound] = useState<readonly Version[] | null>(null);
  const [at, setAt] = useState(0);
  const key = names.join();
  useEffect(() => {
    library.versions(key.split(",")).then(setFound, (error: unknown) => {
      setFound([]);
      notifyError(error);
    });
  }, [key]);
  const name = own ? tab.name : nameOf(path ?? "");
  const chosen = found?.[at];
  return (
    <Dialog
      title={t("Versions of {{name}}", { name })}
      width="wide"
      onClose={() => openSheet(null)}
    >
      {found !== null && found.length === 0 && (
        <p className="quiet">
          {t("No versions yet. One is stored at each save, and every few minutes while you edit.")}
        </p>
      )}
      {found !== null && found.length > 0 && (
        <div className="versions">
          <ol aria-label={t("Versions, newest first")}>
            {found.map((each, place) => (
              <li key={`${each.of} ${each.when}`}>
                <Row version={each} chosen={place === at} onChoose={() => setAt(place)} />
              </li>
            ))}
          </ol>
          {chosen !== undefined && (
            <Preview
              key={`${chosen.of} ${chosen.when}`}
              version={chosen}
              name={name}
              current={own ? tab.workflow : null}
            />
          )}
        </div>
      )}
    </Dialog>
  );
}

function Row(props: { version: Version; chosen: boolean; onChoose: () => void }) {
  const { when, nodes, label, kind } = props.version;
  return (
    <button
      type="button"
      aria-pressed={props.chosen}
      title={dayAndTime(when)}
      onClick={props.onChoose}
    >
      <b>{ago(when)}</b>
      <span>{wordOf(kind)}</span>
      <span className="more">
        {[
          nodes === null ? t("damaged") : t("{{count}} nodes", { count: nodes }),
          translateMessage(readLabel(label)),
        ]
          .filter((each) => each !== "")
          .join(" · ")}
      </span>
    </button>
  );
}

function wordOf(kind: Version["kind"]): string {
  if (kind === "save") return t("saved");
  return kind === "auto" ? t("saved automatically") : t("replaced by a save");
}

interface Shown {
  version: Version;
  name: string;
  /** The open document; null if the versions belong to another. */
  current: Tab["workflow"] | null;
}

function Preview({ version, name, current }: Shown) {
  const editor = useEditor();
  const [workflow, setWorkflow] = useState<Tab["workflow"] | null>(null);
  const [broken, setBroken] = useState(false);
  useEffect(() => {
    readVersion(version).then(setWorkflow, () => setBroken(true));
  }, [version]);
  const open = () => {
    openSheet(null);
    const called = `${name}, ${dayAndTime(version.when)}`;
    openVersion(version, called).catch(notifyError);
  };
  const goBack = () => {
    if (workflow === null) return;
    openSheet(null);
    restoreVersion(editor, workflow);
  };
  return (
    <section aria-label={dayAndTime(version.when)}>
      {broken && (
        <p className="quiet">{t("This version cannot be opened: it is not a workflow.")}</p>
      )}
      {workflow !== null && (
        <>
          <Miniature workflow={workflow} />
          {current !== null && (
            <p className="quiet">{differenceText(differenceOf(workflow, current))}</p>
          )}
          <footer>
            <button type="button" className="plain-button" onClick={open}>
              {t("Open in a new tab")}
            </button>
            {current !== null && (
              <button type="button" className="primary" onClick={goBack}>
                {t("Restore this version")}
              </button>
            )}
          </footer>
        </>
      )}
    </section>
  );
}

function differenceText({ added, removed, changed }: Difference): string {
  const parts = [
    added > 0 ? t("{{count}} nodes added", { count: added }) : "",
    removed > 0 ? t("{{count}} nodes removed", { count: removed }) : "",
    changed > 0 ? t("{{count}} nodes changed", { count: changed }) : "",
  ].filter((each) => each !== "");
  return parts.length === 0
    ? t("The same nodes as now.")
    : t("Since then: {{what}}.", { what: parts.join(", ") });
}
