/**
 * What the open workflow needs: its models and packs, those that are missing first, and what can be
 * done about each. Nothing is fetched or replaced without a click.
 */
import { Copy, RefreshCw } from "lucide-react";
import { useEffect } from "react";
import type { Needs as NeedsList, PackNeed } from "../api/downloads";
import { refreshCatalog } from "../state/catalog/catalog";
import { missingModels, needsOf, useNeeds } from "../state/files/needs";
import { useRuns } from "../state/outcomes/runs";
import { checkAgain } from "../state/runs/checking";
import {
  downloadOf,
  forbidHost,
  isAllowed,
  lookUp,
  readDownloads,
  startDownload,
  useDownloads,
} from "../state/runs/downloads";
import { lacksTokenizer } from "../state/runs/fixes";
import { useActive } from "../state/session/studio";
import { notifyError, openSheet } from "../state/session/view";
import { bytesOf } from "../words/format";
import { t } from "../words/words";
import { Dialog } from "./Dialog";
import { ModelRow, Progress } from "./ModelRow";
import { NodeLinks } from "./NodeLinks";
import "./needs.css";

export function Needs() {
  const tab = useActive((each) => each.id);
  const needs = useNeeds(() => needsOf(tab));
  useEffect(() => {
    readDownloads().catch(notifyError);
  }, []);
  const lines = linesOf(needs);
  return (
    <Dialog
      title={t("What this workflow needs")}
      width="middle"
      onClose={() => openSheet(null)}
      actions={
        <>
          <button
            type="button"
            className="plain"
            disabled={lines.length === 0}
            onClick={() => void navigator.clipboard.writeText(lines.join("\n")).catch(notifyError)}
          >
            <Copy size={13} aria-hidden /> {t("Copy the list")}
          </button>
          <button
            type="button"
            className="plain"
            onClick={() => void refreshCatalog().then(checkAgain).catch(notifyError)}
          >
            <RefreshCw size={13} aria-hidden /> {t("Check again")}
          </button>
        </>
      }
    >
      {lines.length === 0 && (
        <p>{t("Nothing is missing: all nodes and files are on this server.")}</p>
      )}
      <Models needs={needs} />
      <Packs needs={needs} />
      <OtherVersions needs={needs} />
      <Tokenizers needs={needs} />
      <Others needs={needs} />
      <Here needs={needs} />
      <Hosts />
    </Dialog>
  );
}

/** What is missing, for fetching it by hand: name, address, size where known, folder. */
function linesOf(needs: NeedsList): string[] {
  const { facts } = useDownloads.getState();
  const files = missingModels(needs).map(({ name, kind, url, size, folder }) => {
    const known = size ?? (url === null ? null : facts[url]?.size) ?? null;
    const place = folder ?? (kind === null ? null : `models/${kind}`);
    return [name, url, known === null ? null : bytesOf(known), place]
      .filter((each) => each !== null)
      .join("  ");
  });
  const classes = [
    ...needs.packs.flatMap(({ name, version, missing }) =>
      Object.keys(missing).map((type) => `${type} (${[name, version].filter(Boolean).join(" ")})`),
    ),
    ...Object.keys(needs.unknown),
  ];
  return [...files, ...classes];
}

function Models({ needs }: { needs: NeedsList }) {
  const hosts = useDownloads((state) => state.hosts);
  const all = useDownloads((state) => state.all);
  const facts = useDownloads((state) => state.facts);
  const missing = missingModels(needs);
  if (missing.length === 0) return null;
  const ready = missing.filter(
    (each) =>
      isAllowed(hosts, each.host) &&
      each.warning === null &&
      each.offers.length === 0 &&
      !Object.values(all).some((other) => other.name === each.name && other.kind === each.kind),
  );
  const unasked = missing.some(
    ({ host, url }) => isAllowed(hosts, host) && url !== null && facts[url] === undefined,
  );
  const startAll = async () => {
    for (const each of ready) await startDownload(each);
  };
  return (
    <section className="needs" aria-label={t("Missing files")}>
      <h3>{t("Missing files")}</h3>
      <p className="quiet">
        {t(
          "Files are fetched only when you click, from hosts that you have allowed. No file is replaced by another by itself.",
        )}
      </p>
      <p className="acts">
        {unasked && (
          <button type="button" className="plain" onClick={() => void lookUp().catch(notifyError)}>
            {t("Ask the hosts for sizes")}
          </button>
        )}
        {ready.length > 1 && (
          <button
            type="button"
            className="plain"
            onClick={() => void startAll().catch(notifyError)}
          >
            {t("Download {{count}} files", { count: ready.length })}
          </button>
        )}
      </p>
      <ul>
        {missing.map((each) => (
          <ModelRow key={`${each.kind}/${each.name}`} need={each} />
        ))}
      </ul>
      {needs.omitted > 0 && (
        <p className="quiet">{t("and {{count}} more", { count: needs.omitted })}</p>
      )}
    </section>
  );
}

function Packs({ needs }: { needs: NeedsList }) {
  const open = useActive((tab) => tab.id);
  const report = useRuns((state) => state.problems[open]);
  const missing = needs.packs.filter((each) => Object.keys(each.missing).length > 0);
  const unknown = Object.entries(needs.unknown);
  if (missing.length + unknown.length === 0) return null;
  return (
    <section className="needs" aria-label={t("Missing nodes")}>
      <h3>{t("Missing nodes")}</h3>
      <p className="quiet">
        {t(
          "They stay in the graph and are saved unchanged, but the workflow cannot run without them.",
        )}
      </p>
      <ul>
        {missing.map((each) => (
          <Pack key={each.name} pack={each} />
        ))}
        {unknown.map(([type, nodes]) => (
          <li key={type}>
            <div className="head">
              <b>{type}</b>
              <span className="where">{report?.absences?.[type] ?? t("plugin unknown")}</span>
            </div>
            <NodeLinks nodes={nodes} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Packs that are here in an earlier version, or another commit, than the workflow's. */
function OtherVersions({ needs }: { needs: NeedsList }) {
  const found = needs.packs.filter(
    (each) => needsUpdate(each) && Object.keys(each.missing).length === 0,
  );
  if (found.length === 0) return null;
  return (
    <section className="needs" aria-label={t("Other versions of packs")}>
      <h3>{t("Other versions of packs")}</h3>
      <p className="quiet">
        {t("Update a pack if its nodes fail or give other results than the workflow's author had.")}
      </p>
      <ul>
        {found.map(({ name, version, installed }) => (
          <li key={name}>
            <div className="head">
              <b>{name}</b>
              <span className="where">{versionsOf(version, installed)}</span>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

const needsUpdate = ({ differs }: PackNeed) => differs === "older" || differs === "other";

function versionsOf(version: string | null, installed: string | null): string {
  return t("{{installed}} is here, the workflow was made with {{version}}", {
    installed: installed ?? "",
    version: version ?? "",
  });
}

function Pack({ pack }: { pack: PackNeed }) {
  const { name, version, repository, missing, installed } = pack;
  const asked = installed && needsUpdate(pack) ? versionsOf(version, installed) : version;
  const about = [asked, repository === name ? null : repository].filter(Boolean).join(", ");
  return (
    <li>
      <div className="head">
        <b>{name}</b>
        <span className="where">{about}</span>
      </div>
      <p className="facts">{Object.keys(missing).join(", ")}</p>
      <NodeLinks nodes={Object.values(missing).flat()} />
    </li>
  );
}

/** Tokenizers that some files of text encoders lack, folded away unless a run failed for one. */
function Tokenizers({ needs }: { needs: NeedsList }) {
  const all = useDownloads((state) => state.tokenizers);
  const wanted = useRuns((state) => Object.values(state.failures).some(lacksTokenizer));
  const listed = new Set(missingModels(needs).map((each) => each.name));
  const missing = all.filter((each) => !each.here && !listed.has(each.name));
  if (missing.length === 0) return null;
  return (
    <details className="needs-here" open={wanted}>
      <summary>{t("Tokenizers that are not part of this program")}</summary>
      <div className="needs">
        <p className="quiet">
          {t("Most files of text encoders bring theirs. A run that lacks one names it.")}
        </p>
        <ul>
          {missing.map((each) => (
            <ModelRow key={each.name} need={each} />
          ))}
        </ul>
      </div>
    </details>
  );
}

/** Downloads of other workflows, and those that are done. */
function Others({ needs }: { needs: NeedsList }) {
  const all = useDownloads((state) => state.all);
  const tokenizers = useDownloads((state) => state.tokenizers);
  const rows = [...missingModels(needs), ...tokenizers.filter((each) => !each.here)];
  const shown = new Set(rows.map((each) => downloadOf(all, each)?.id));
  const others = Object.values(all).filter((each) => !shown.has(each.id));
  if (others.length === 0) return null;
  return (
    <section className="needs" aria-label={t("Other downloads")}>
      <h3>{t("Other downloads")}</h3>
      <ul>
        {others.map((each) => (
          <li key={each.id}>
            <div className="head">
              <b>{each.name}</b>
              <span className="where">{each.folder}</span>
            </div>
            <Progress download={each} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What is here already, folded away. */
function Here({ needs }: { needs: NeedsList }) {
  const files = needs.models.filter((each) => each.here);
  const packs = needs.packs.filter((each) => Object.keys(each.missing).length === 0);
  const count = files.length + packs.length;
  if (count === 0) return null;
  return (
    <details className="needs-here">
      <summary>{t("{{count}} of its needs are here", { count })}</summary>
      <ul>
        {files.map(({ kind, name }) => (
          <li key={`${kind}/${name}`}>
            {name} <span className="where">{kind}</span>
          </li>
        ))}
        {packs.map(({ name, version, installed }) => (
          <li key={name}>
            {name} <span className="where">{installed || version}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function Hosts() {
  const hosts = useDownloads((state) => state.hosts);
  if (hosts === null || hosts.length === 0) return null;
  return (
    <details className="needs-here">
      <summary>{t("{{count}} hosts are allowed", { count: hosts.length })}</summary>
      <ul>
        {hosts.map((each) => (
          <li key={each.host}>
            {each.host}{" "}
            {each.private && <span className="where">{t("in your own network, too")}</span>}{" "}
            <button
              type="button"
              className="link"
              onClick={() => void forbidHost(each.host).catch(notifyError)}
            >
              {t("Ask again for {{host}}", { host: each.host })}
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}
