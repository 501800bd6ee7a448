/** Templates to start from, each with an image that it made. */
import { useEffect, useState } from "react";
import { sentenceOf } from "../state/files/missing";
import {
  missingForTemplate,
  openTemplate,
  pictureOf,
  TEMPLATES,
  type Template,
} from "../state/files/templates";
import { notifyError, openSheet } from "../state/view";
import { t } from "../words/words";
import { Dialog } from "./Dialog";
import "./missing.css";

export function Templates() {
  return (
    <Dialog title={t("Templates")} width="wide" onClose={() => openSheet(null)}>
      <div className="template-grid">
        {TEMPLATES.map((each) => (
          <Tile key={each.id} template={each} />
        ))}
      </div>
    </Dialog>
  );
}

function Tile({ template }: { template: Template }) {
  const [lacks, setLacks] = useState<string | null>(null);
  useEffect(() => {
    missingForTemplate(template).then((missing) => setLacks(sentenceOf(missing)), notifyError);
  }, [template]);
  const open = () => {
    openSheet(null);
    void openTemplate(template, t(template.title)).catch(notifyError);
  };
  return (
    <button type="button" onClick={open}>
      <img src={pictureOf(template)} alt="" loading="lazy" />
      <b>{t(template.title)}</b>
      <span>{t(template.about)}</span>
      {lacks !== null && <span className="lacks">{lacks}</span>}
    </button>
  );
}
