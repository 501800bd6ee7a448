/** The legend of the signs on nodes: states, colours of titles, shapes of sockets. */
import { AlertTriangle, Check } from "lucide-react";
import type { CSSProperties, ReactNode } from "react";
import { KINDS } from "../state/nodes/categories";
import { BypassSign, CollapseSign, MuteSign, PinSign } from "../widgets/signs";
import { t } from "../words/words";
import "./signs.css";

const SIZE = 16;

export function Signs() {
  return (
    <>
      <Legend title={t("Signs on nodes")}>
        <Line sign={<i className="next" />}>{t("will run")}</Line>
        <Line sign={<i className="next cached" />}>{t("cached: will not run again")}</Line>
        <Line sign={<Check size={SIZE} />}>{t("done in this run")}</Line>
        <Line sign={<i className="next former" />}>
          {t("failed in the last run, edited since")}
        </Line>
        <Line sign={<AlertTriangle size={SIZE} className="wrong" />}>
          {t("has a problem: point at it to read it")}
        </Line>
        <Line sign={<BypassSign size={SIZE} />}>{t("bypassed: passes its inputs through")}</Line>
        <Line sign={<MuteSign size={SIZE} />}>{t("muted: does not run, nor what needs it")}</Line>
        <Line sign={<CollapseSign size={SIZE} />}>{t("collapsed: only its title is shown")}</Line>
        <Line sign={<PinSign size={SIZE} />}>{t("pinned: cannot be moved")}</Line>
      </Legend>
      <Legend title={t("Colours of titles")}>
        {KINDS.map((kind) => (
          <Line
            key={kind}
            sign={
              <i
                className="kind-bar"
                style={{ "--kind": `var(--kind-${kind})` } as CSSProperties}
              />
            }
          >
            {wordsOf(kind)}
          </Line>
        ))}
      </Legend>
      <Legend title={t("Shapes of sockets")}>
        <Line sign={<Sample family="weights" />}>{t("models and other weights")}</Line>
        <Line sign={<Sample family="data" />}>{t("images, latents, masks, sound")}</Line>
        <Line sign={<Sample family="guidance" />}>{t("conditioning and sampling")}</Line>
        <Line sign={<Sample family="scalar" />}>{t("numbers and texts")}</Line>
      </Legend>
    </>
  );
}

function wordsOf(kind: (typeof KINDS)[number]): string {
  switch (kind) {
    case "loaders":
      return t("loaders");
    case "conditioning":
      return t("conditioning");
    case "sampling":
      return t("sampling and latents");
    case "image":
      return t("images and masks");
    case "output":
      return t("outputs");
  }
}

function Sample({ family }: { family: string }) {
  return <i className={`sample ${family}`} />;
}

function Legend({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title} className="signs">
      <h3>{title}</h3>
      <ul>{children}</ul>
    </section>
  );
}

function Line({ sign, children }: { sign: ReactNode; children: string }) {
  return (
    <li>
      <span className="sign" aria-hidden>
        {sign}
      </span>
      {children}
    </li>
  );
}
