/** The models on this server by kind, with their folders; a click uses one. */

import { RefreshCw } from "lucide-react";
import { useCallback, useEffect, useState } from "react";
import { type ModelFile, type ModelKind, modelPreviewUrl } from "../api/client";
import { refreshCatalog } from "../state/catalog/catalog";
import { addLoader } from "../state/files/models";
import { useEditor } from "../state/session/editor";
import { client } from "../state/session/server";
import { notifyError, useView } from "../state/session/view";
import { t } from "../words/words";
import { PanelHead } from "./PanelHead";
import "./models.css";
import { bytesOf } from "../words/format";

type Found = ModelKind & { files: readonly ModelFile[] };

async function listed(): Promise<Found[]> {
  const kinds = await client.modelKinds();
  return await Promise.all(
    kinds.map(async (kind) => ({ ...kind, files: await client.models(kind.name) })),
  );
}

export function Models() {
  const [found, setFound] = useState<readonly Found[] | null>(null);
  const [typed, setTyped] = useState("");
  const read = useCallback(() => {
    listed().then(setFound, notifyError);
  }, []);
  useEffect(read, [read]);
  const again = () => {
    read();
    void refreshCatalog().catch(notifyError);
  };
  const wanted = typed.trim().toLowerCase();
  const shown = (found ?? [])
    .map((kind) => ({
      ...kind,
      files: kind.files.filter(({ name }) => name.toLowerCase().includes(wanted)),
    }))
    .filter(({ files }) => wanted === "" || files.length > 0)
    .sort((one, other) => Number(other.files.length > 0) - Number(one.files.length > 0));
  return (
    <aside className="drawer models" aria-label={t("Models")}>
      <PanelHead title={t("Models")} onClose={() => useView.setState({ models: false })}>
        <button type="button" className="ghost" aria-label={t("Check again")} onClick={again}>
          <RefreshCw size={14} aria-hidden />
        </button>
      </PanelHead>
      <input
        className="plain"
        type="search"
        aria-label={t("Search models")}
        placeholder={t("Search")}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
      <div className="kinds">
        {shown.map((each) => (
          <Kind key={each.name} kind={each} open={each.files.length > 0} />
        ))}
        {found !== null && shown.length === 0 && <p className="quiet">{t("No file matches.")}</p>}
      </div>
    </aside>
  );
}

function Kind({ kind, open }: { kind: Found; open: boolean }) {
  return (
    <details open={open}>
      <summary>
        {kind.name} <span className="quiet">{kind.files.length}</span>
      </summary>
      {kind.files.length === 0 && (
        <p className="quiet">
          {t("Put files here:")} <code>{kind.folders[0]}</code>
        </p>
      )}
      <ul>
        {kind.files.map((file) => (
          <File key={`${file.pathIndex}/${file.name}`} kind={kind.name} file={file} />
        ))}
      </ul>
    </details>
  );
}

function File({ kind, file }: { kind: string; file: ModelFile }) {
  const editor = useEditor();
  const [hasPreview, setHasPreview] = useState(true);
  return (
    <li>
      <button
        type="button"
        title={t("Add a node that loads it")}
        onClick={() => addLoader(editor, kind, file)}
      >
        {hasPreview && (
          <img
            src={modelPreviewUrl(kind, file)}
            alt=""
            loading="lazy"
            onError={() => setHasPreview(false)}
          />
        )}
        <span className="name">{file.name}</span>
        <span className="quiet">{bytesOf(file.size)}</span>
      </button>
    </li>
  );
}
