-- +goose Up
CREATE TABLE stock (
    product_id bigint PRIMARY KEY REFERENCES products (id),
    on_hand int NOT NULL DEFAULT 0
);
INSERT INTO stock (product_id) SELECT id FROM products;
-- +goose StatementBegin
CREATE FUNCTION take_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE stock SET on_hand = on_hand - NEW.quantity WHERE product_id = NEW.product_id;
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER order_lines_take_stock AFTER INSERT ON order_lines
    FOR EACH ROW EXECUTE FUNCTION take_stock();

-- +goose Down
DROP TRIGGER order_lines_take_stock ON order_lines;
DROP FUNCTION take_stock();
DROP TABLE stock;
