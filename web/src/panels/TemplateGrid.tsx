/** Templates as cards: what each makes, and what it needs that is not here. */
import { type ReactNode, useEffect, useState } from "react";
import type { Needs } from "../api/downloads";
import { missingModels, sentenceOf } from "../state/files/needs";
import { needsOfTemplate, openTemplate, pictureOf, type TEMPLATES } from "../state/files/templates";
import { notifyError, openSheet } from "../state/session/view";
import { t } from "../words/words";
import "./templates.css";

/** The bundled templates, each with an image that it made. */
export function TemplateGrid({ templates }: { templates: typeof TEMPLATES }) {
  return (
    <div className="template-grid">
      {templates.map((each) => (
        <TemplateTile
          key={each.id}
          title={t(each.title)}
          about={t(each.about)}
          picture={<img src={pictureOf(each)} alt="" loading="lazy" />}
          needs={() => needsOfTemplate(each)}
          open={() => openTemplate(each, t(each.title))}
        />
      ))}
    </div>
  );
}

interface TileProps {
  title: string;
  about: string;
  picture: ReactNode;
  needs: () => Promise<Needs>;
  open: () => Promise<void>;
}

export function TemplateTile({ title, about, picture, needs, open }: TileProps) {
  const [lacks, setLacks] = useState<string | null>(null);
  const [missing, setMissing] = useState<readonly string[]>([]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked once, when the tile appears
  useEffect(() => {
    needs().then((found) => {
      setLacks(sentenceOf(found));
      setMissing(missingModels(found).map((each) => each.name));
    }, notifyError);
  }, []);
  const choose = () => {
    openSheet(null);
    void open().catch(notifyError);
  };
  return (
    <button type="button" onClick={choose}>
      {picture}
      <b>{title}</b>
      <span>{about}</span>
      {lacks !== null && <span className="lacks">{lacks}</span>}
      {missing.map((name) => (
        <span key={name} className="file">
          {name}
        </span>
      ))}
    </button>
  );
}
