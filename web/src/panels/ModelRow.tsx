/** A missing model: where it comes from and goes, what is offered instead, and its download. */

import { useState } from "react";
import type { ModelNeed } from "../api/downloads";
import type { DownloadState } from "../api/types";
import { putFile } from "../state/files/needs";
import {
  actOnDownload,
  allowHost,
  downloadOf,
  isAllowed,
  startDownload,
  useDownloads,
} from "../state/runs/downloads";
import { useEditor } from "../state/session/editor";
import { notifyError } from "../state/session/view";
import { bytesOf, percent } from "../words/format";
import { t } from "../words/words";
import { NodeLinks } from "./NodeLinks";

export function ModelRow({ need }: { need: ModelNeed }) {
  const editor = useEditor();
  const facts = useDownloads((state) => (need.url === null ? undefined : state.facts[need.url]));
  const download = useDownloads((state) => downloadOf(state.all, need));
  const size = download?.size ?? need.size ?? facts?.size ?? null;
  const about = [
    need.host,
    size === null ? null : bytesOf(size),
    need.license ?? facts?.license ?? null,
  ].filter((each) => each !== null);
  return (
    <li>
      <div className="head">
        <b>{need.name}</b>
        <span className="where">
          {need.kind === null ? t("folder unknown") : `models/${need.kind}`}
        </span>
      </div>
      {about.length > 0 && <p className="facts">{about.join(" · ")}</p>}
      {need.folder !== null && (
        <p className="facts">{t("Goes into {{folder}}", { folder: need.folder })}</p>
      )}
      {need.problem !== null && <p className="facts">{need.problem}</p>}
      <p className="acts">
        {need.offers.map((name) => (
          <Act
            key={name}
            label={t("Use {{name}}", { name })}
            run={async () => putFile(editor.tab, need, name)}
          />
        ))}
        {download === undefined && <Begin need={need} />}
      </p>
      {download !== undefined && <Progress download={download} />}
      <NodeLinks nodes={[...new Set(need.nodes.map(([node]) => node))]} />
    </li>
  );
}

/** Allows the host first; asks about formats that can hold programs. */
function Begin({ need }: { need: ModelNeed }) {
  const hosts = useDownloads((state) => state.hosts);
  const [warned, setWarned] = useState(false);
  const { host, warning } = need;
  if (host === null || hosts === null) return null;
  if (!isAllowed(hosts, host)) {
    return <Act label={t("Allow {{host}}", { host })} run={() => allowHost(host)} />;
  }
  if (warning !== null && !warned) {
    return <Act label={t("Download")} run={async () => setWarned(true)} />;
  }
  return (
    <>
      {warning !== null && <span className="warns">{warning}.</span>}
      <Act
        label={warning === null ? t("Download") : t("Download in spite of that")}
        run={() => startDownload(need, warning !== null)}
      />
    </>
  );
}

export function Progress({ download }: { download: DownloadState }) {
  const { id, name, state, size, received, message, asks_host: asked } = download;
  const isAtWork = state === "running" || state === "queued";
  return (
    <div className="download">
      {state !== "asks" && state !== "done" && (
        <progress
          aria-label={name}
          {...(size === null ? {} : { value: received, max: Math.max(1, size) })}
        />
      )}
      <span className="facts" role={state === "failed" ? "alert" : undefined}>
        {stateOf(download)}
        {message !== null && ` ${message}`}
      </span>
      <span className="acts">
        {asked !== null && (
          <Act
            label={
              download.asks_private
                ? t("Allow {{host}} in your own network", { host: asked })
                : t("Allow {{host}}", { host: asked })
            }
            run={() => allowHost(asked, download.asks_private)}
          />
        )}
        {isAtWork && <Act label={t("Pause")} run={() => actOnDownload(id, "pause")} />}
        {(state === "paused" || state === "failed") && (
          <Act label={t("Resume")} run={() => actOnDownload(id, "resume")} />
        )}
        <Act
          label={state === "done" ? t("Remove from the list") : t("Cancel")}
          run={() => actOnDownload(id, "cancel")}
        />
      </span>
    </div>
  );
}

function stateOf({ state, size, received, speed, found_sha256 }: DownloadState): string {
  const much =
    size === null
      ? bytesOf(received)
      : t("{{received}} of {{size}}", { received: bytesOf(received), size: bytesOf(size) });
  switch (state) {
    case "queued":
      return t("Waiting for its turn.");
    case "running":
      return [
        size === null ? null : percent(received / Math.max(1, size)),
        much,
        speed > 0 ? t("{{size}} per second", { size: bytesOf(speed) }) : null,
      ]
        .filter((each) => each !== null)
        .join(" · ");
    case "paused":
      return `${t("Paused.")} ${much}`;
    case "failed":
      return t("Failed.");
    case "done":
      return t("Done. SHA-256 {{hash}}", { hash: found_sha256 ?? "" });
    default:
      return "";
  }
}

/** A button whose failure is reported, and that cannot be pressed again meanwhile. */
function Act({ label, run }: { label: string; run: () => Promise<void> }) {
  const [busy, setBusy] = useState(false);
  const press = async () => {
    setBusy(true);
    try {
      await run();
    } catch (error) {
      notifyError(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <button type="button" className="plain" disabled={busy} onClick={() => void press()}>
      {label}
    </button>
  );
}
