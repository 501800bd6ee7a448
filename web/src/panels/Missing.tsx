/**
 * The models and node classes that the open workflow needs and this server lacks, by exact name.
 */
import { Copy, RefreshCw } from "lucide-react";
import { goTo, titleOfPrompt } from "../state/editing/levels";
import { refreshCatalog } from "../state/files/files";
import { missingFrom } from "../state/files/missing";
import { useActive, useStudio } from "../state/studio";
import { notifyError, openSheet } from "../state/view";
import { t } from "../words/words";
import { Dialog } from "./Dialog";
import "./missing.css";

export function Missing() {
  const workflow = useActive((tab) => tab.workflow);
  const catalog = useStudio((state) => state.catalog);
  const missing = missingFrom(workflow, catalog);
  const lines = [
    ...missing.classes.map(({ type, pack }) => `${type}${pack === null ? "" : ` (${pack})`}`),
    ...missing.files.map(({ name, folder }) => (folder === null ? name : `${folder}/${name}`)),
  ];
  const isWhole = lines.length === 0;
  return (
    <Dialog
      title={t("What this workflow is missing")}
      onClose={() => openSheet(null)}
      actions={
        <>
          <button
            type="button"
            className="plain"
            disabled={isWhole}
            onClick={() => void navigator.clipboard.writeText(lines.join("\n")).catch(notifyError)}
          >
            <Copy size={13} aria-hidden /> {t("Copy the list")}
          </button>
          <button
            type="button"
            className="plain"
            onClick={() => void refreshCatalog().catch(notifyError)}
          >
            <RefreshCw size={13} aria-hidden /> {t("Check again")}
          </button>
        </>
      }
    >
      {isWhole && <p>{t("Nothing is missing: all nodes and files are on this server.")}</p>}
      <Files missing={missing.files} />
      <Classes missing={missing.classes} />
    </Dialog>
  );
}

function Files({ missing }: { missing: ReturnType<typeof missingFrom>["files"] }) {
  if (missing.length === 0) return null;
  return (
    <section className="missing">
      <h3>{t("Files")}</h3>
      <p className="quiet">
        {t(
          "Put each file into its folder in models, then check again. No file was replaced by another.",
        )}
      </p>
      <ul>
        {missing.map(({ name, folder, source, nodes }) => (
          <li key={name}>
            <b>{name}</b>
            <span className="where">
              {folder === null ? t("folder unknown") : `models/${folder}`}
            </span>
            {source !== null && (
              <a href={source} target="_blank" rel="noopener noreferrer">
                {new URL(source).host}
              </a>
            )}
            <Users nodes={nodes} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Classes({ missing }: { missing: ReturnType<typeof missingFrom>["classes"] }) {
  if (missing.length === 0) return null;
  return (
    <section className="missing">
      <h3>{t("Nodes")}</h3>
      <p className="quiet">
        {t(
          "They stay in the graph and are saved unchanged, but the workflow cannot run without them.",
        )}
      </p>
      <ul>
        {missing.map(({ type, pack, nodes }) => (
          <li key={type}>
            <b>{type}</b>
            <span className="where">{pack ?? t("plugin unknown")}</span>
            <Users nodes={nodes} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The nodes that use it, each with a button that shows the node. */
function Users({ nodes }: { nodes: readonly string[] }) {
  const tab = useActive((each) => each);
  const catalog = useStudio((state) => state.catalog);
  const show = (id: string) => {
    openSheet(null);
    goTo(id);
  };
  return (
    <span className="users">
      {nodes.slice(0, 4).map((id) => {
        const title = titleOfPrompt(tab, id, catalog);
        return title === undefined ? null : (
          <button key={id} type="button" className="link" onClick={() => show(id)}>
            {title}
          </button>
        );
      })}
      {nodes.length > 4 && <span>{t("and {{count}} more", { count: nodes.length - 4 })}</span>}
    </span>
  );
}
