/** Templates to start from: the bundled ones, each with an image that it made, and families'. */
import { useEffect, useState } from "react";
import type { TemplateCategory } from "../api/templates";
import { familyTemplates, needsOfFamily, openFamilyTemplate } from "../state/files/familyTemplates";
import { TEMPLATES } from "../state/files/templates";
import { notifyError, openSheet } from "../state/session/view";
import { t } from "../words/words";
import { Dialog } from "./Dialog";
import { TemplateGrid, TemplateTile } from "./TemplateGrid";

export function Templates() {
  const [families, setFamilies] = useState<TemplateCategory[]>([]);
  useEffect(() => {
    familyTemplates().then(setFamilies, notifyError);
  }, []);
  return (
    <Dialog title={t("Templates")} width="wide" onClose={() => openSheet(null)}>
      <TemplateGrid templates={TEMPLATES} />
      {families.map(({ title, templates }) => (
        <section key={title} className="template-family">
          <h3>{title}</h3>
          <div className="template-grid">
            {templates.map((each) => (
              <TemplateTile
                key={each.name}
                title={each.title}
                about={each.description}
                picture={<i aria-hidden="true">{title}</i>}
                needs={() => needsOfFamily(each)}
                open={() => openFamilyTemplate(each)}
              />
            ))}
          </div>
        </section>
      ))}
    </Dialog>
  );
}
