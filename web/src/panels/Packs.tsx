/** The packs of nodes on this server: their states and faults, on and off, and whose class counts. */
import { Copy, ExternalLink, RefreshCw } from "lucide-react";
import { useEffect, useState } from "react";
import type { Pack } from "../api/packs";
import {
  choosePack,
  isFaulty,
  isLoading,
  readPacks,
  reloadPacks,
  switchPack,
  usePacks,
  waitsForReload,
} from "../state/catalog/packs";
import { runCommand } from "../state/session/commandRegistry";
import { notifyError, openSheet } from "../state/session/view";
import { Select } from "../widgets/Select";
import { amount, bytesOf, spanOf } from "../words/format";
import { t } from "../words/words";
import { Dialog } from "./Dialog";
import { PackIsolation, wouldHelp } from "./PackIsolation";
import "./settings.css";
import "./packs.css";

export function Packs() {
  const { all, busy } = usePacks();
  const [typed, setTyped] = useState("");
  useEffect(() => {
    readPacks().catch(notifyError);
  }, []);
  const wanted = typed.trim().toLowerCase();
  const shown = (all ?? []).filter(
    ({ name, nodes }) =>
      name.toLowerCase().includes(wanted) ||
      (wanted !== "" && nodes.some((each) => each.toLowerCase().includes(wanted))),
  );
  const waits = all === null || all.some(isLoading);
  return (
    <Dialog
      title={t("Packs of nodes")}
      width={all === null || all.length === 0 ? "narrow" : "wide"}
      onClose={() => openSheet(null)}
      actions={<Actions disabled={busy || waits} />}
    >
      <div className="packs" aria-busy={busy || waits}>
        <p className="quiet" role="status">
          {waits ? t("The packs are loading.") : summaryOf(all)}
        </p>
        {all !== null && all.length > 6 && (
          <input
            className="plain"
            type="search"
            aria-label={t("Search packs and nodes")}
            placeholder={t("Search")}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
        )}
        <ul>
          {shown.map((pack) => (
            <Row key={pack.name} pack={pack} busy={busy} />
          ))}
        </ul>
        {all !== null && all.length > 0 && shown.length === 0 && (
          <p className="quiet">{t("No pack matches.")}</p>
        )}
        <Claims packs={all ?? []} busy={busy} />
      </div>
    </Dialog>
  );
}

function Actions({ disabled }: { disabled: boolean }) {
  return (
    <>
      <button type="button" className="plain-button" onClick={() => runCommand("view.classic")}>
        <ExternalLink size={13} aria-hidden /> {t("Open the classic view")}
      </button>
      <button
        type="button"
        className="primary"
        disabled={disabled}
        onClick={() => void reloadPacks()}
      >
        <RefreshCw size={13} aria-hidden /> {t("Reload the packs")}
      </button>
    </>
  );
}

function summaryOf(all: readonly Pack[]): string {
  if (all.length === 0)
    return t("There are no packs. Put their folders into custom_nodes, then reload.");
  if (all.some(waitsForReload)) return t("Some changes take effect when the packs are reloaded.");
  const faulty = all.filter(isFaulty).length;
  return faulty === 0
    ? t("{{count}} packs", { count: all.length })
    : t("{{count}} packs could not be loaded. The others are not affected.", { count: faulty });
}

function stateOf(state: Pack["state"]): string {
  switch (state) {
    case "loading":
      return t("loading");
    case "loaded":
      return t("loaded");
    case "failed":
      return t("cannot be imported");
    case "crashed":
      return t("ended the worker");
    case "hung":
      return t("did not finish");
    case "disabled":
      return t("switched off");
    case "isolated":
      return t("loaded, isolated");
    case "new":
      return t("not loaded yet");
    default:
      return state;
  }
}

function Row({ pack, busy }: { pack: Pack; busy: boolean }) {
  const { name, version, state, seconds, nodes, enabled, memory } = pack;
  const facts = [
    stateOf(state),
    nodes.length > 0 ? t("{{count}} nodes", { count: nodes.length }) : "",
    seconds > 0 ? spanOf(seconds) : "",
    memory > 0 ? bytesOf(memory) : "",
  ];
  return (
    <li className={isFaulty(pack) ? "faulty" : undefined}>
      <div className="head">
        <b>{name}</b>
        <span className="version">{version}</span>
        <span className="facts">{facts.filter(Boolean).join(" · ")}</span>
        <input
          type="checkbox"
          className="setting-switch"
          aria-label={t("Load {{name}}", { name })}
          checked={enabled}
          disabled={busy}
          onChange={(event) => void switchPack(name, event.currentTarget.checked)}
        />
      </div>
      <Fault pack={pack} />
      {wouldHelp(pack) && <p>{t("A process of its own may help: its switch is under Details.")}</p>}
      <Details pack={pack} busy={busy} />
    </li>
  );
}

function Fault({ pack }: { pack: Pack }) {
  const { name, error, install } = pack;
  // While it loads, the report is that of the last start.
  if (error === "" || isLoading(pack)) return null;
  return (
    <>
      <p className="error">{error}</p>
      {install !== "" && (
        <p className="install">
          <code>{install}</code>
          <button
            type="button"
            className="ghost"
            aria-label={t("Copy the command that installs what {{name}} needs", { name })}
            onClick={() => void navigator.clipboard.writeText(install).catch(notifyError)}
          >
            <Copy size={13} aria-hidden />
          </button>
        </p>
      )}
    </>
  );
}

function Details({ pack, busy }: { pack: Pack; busy: boolean }) {
  const { nodes, warnings, left_out, traceback, enabled } = pack;
  const left = Object.entries(left_out);
  if (!enabled && nodes.length + warnings.length + left.length + traceback.length === 0)
    return null;
  return (
    <details>
      <summary>
        {t("Details")}
        {warnings.length + left.length > 0 && (
          <span className="count"> {amount(warnings.length + left.length)}</span>
        )}
      </summary>
      {enabled && <PackIsolation pack={pack} busy={busy} />}
      {warnings.map((each) => (
        <p key={each}>{each}</p>
      ))}
      {left.map(([type, why]) => (
        <p key={type}>
          <b>{type}</b>: {why}
        </p>
      ))}
      {nodes.length > 0 && <p className="nodes">{nodes.join(", ")}</p>}
      {traceback.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
        <pre tabIndex={0}>{traceback.join("\n")}</pre>
      )}
    </details>
  );
}

/** The classes that several packs have, each with the choice of the pack that its name means. */
function Claims({ packs, busy }: { packs: readonly Pack[]; busy: boolean }) {
  const claims = new Map(packs.flatMap((pack) => Object.entries(pack.claims)));
  if (claims.size === 0) return null;
  return (
    <section aria-label={t("Classes that several packs have")}>
      <h3>{t("Classes that several packs have")}</h3>
      <p className="quiet">{t("Workflows that name such a class get it from the chosen pack.")}</p>
      {[...claims].map(([type, claimants]) => (
        <label key={type}>
          <span>{type}</span>
          <Select
            value={claimants[0]}
            disabled={busy}
            options={claimants.map((each) => [each, each])}
            onChoose={(pack) => void choosePack(type, pack)}
          />
        </label>
      ))}
    </section>
  );
}
